"""Made-up studies whose true effects are known; nothing else of the pipeline is imported here."""
