"""The offline demo model: chosen when no model is configured, and labelled so wherever it speaks."""

from family_food.models.demo.model import DemoModel

__all__ = ["DemoModel"]
