"""MedAsst: raw medical Q&A → clean training set → LoRA fine-tuned model → measured → safe assistant in the shop."""

__version__ = "0.1.0"
