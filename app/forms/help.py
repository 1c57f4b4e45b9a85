"""Where the documents explain a form or one of its fields: addresses below /help.

tests/test_documents.py follows each of them.
"""

FORMS = {
    "dataset": "how-to/datasets.html",
    "model": "tutorial.html#train-the-network",
    "test": "tutorial.html#test-an-image",
    "restore": "how-to/restore-video.html#on-the-page",
}

FIELDS = {
    "source.kind": "how-to/datasets.html",
    "validation.method": "explanation/splits.html",
    "test.method": "explanation/splits.html#validation-or-test",
    "network.name": "reference/settings.html#networks",
    "network.prototxt": "how-to/custom-network.html#paste-a-definition",
    "network.file": "how-to/custom-network.html#write-it-in-python",
    "network.entry": "how-to/custom-network.html#install-it-as-a-package",
    "loss.file": "how-to/own-loss.html",
    "lr_policy.name": "decay.html#all-policies",
    "lr_policy.per": "decay.html",
    "start_from": "how-to/fine-tune.html#from-another-model",
    "snapshot_interval": "explanation/survival.html",
    "precision": "training.html#precision",
    "device": "how-to/several-gpus.html",
    "filters": "quality.html#without-training",
    "qp": "how-to/restore-video.html#with-a-command",
}
"""By the name of the field, in whichever form it is."""
