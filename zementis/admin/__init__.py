"""The console's pages of this surface: models, devices and groups, inferences."""

from zementis.admin.inferences import InferencePageAdmin
from zementis.admin.managed_object import ManagedObjectAdmin
from zementis.admin.scoring_model import ScoringModelAdmin

__all__ = ["InferencePageAdmin", "ManagedObjectAdmin", "ScoringModelAdmin"]
