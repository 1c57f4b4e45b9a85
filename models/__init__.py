"""Networks, losses, learning-rate policies, metrics and layer inspection: torch, and nothing else of ours."""
