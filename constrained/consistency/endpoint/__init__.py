"""Cells scored by an OpenAI-compatible server: asked over HTTP, validated here."""

from constrained.consistency.endpoint.address import Endpoint, read_endpoint
from constrained.consistency.endpoint.client import Client
from constrained.consistency.endpoint.scorer import EndpointScorer, EndpointScorers

__all__ = ["Client", "Endpoint", "EndpointScorer", "EndpointScorers", "read_endpoint"]
