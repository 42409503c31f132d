"""Specs: YAML with positions, the JSON Schema, and every error as file:line:column."""

from provisioner.spec.document import read_data
from provisioner.spec.loader import load
from provisioner.spec.many import load_all
from provisioner.spec.schemas import schema
from provisioner.spec.targets import bases_of, targets_of

__all__ = ["bases_of", "load", "load_all", "read_data", "schema", "targets_of"]
