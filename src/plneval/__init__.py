"""Statistical evaluation pipeline for Professional Learning Network studies."""

__version__ = "0.1.0"
