"""The pages on which a seller sets up what earns points."""

from loyalty.admin.rules.site import RuleSetAdmin

__all__ = ["RuleSetAdmin"]
