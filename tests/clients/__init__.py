"""Tests of programs that use the API: generated clients."""
