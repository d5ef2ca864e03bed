"""What schemathesis cannot know of a Connect worker."""

import re

import schemathesis
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import negative_data_rejection

# How messages about a body begin that Java answers with 500 as well, although the worker is well.
OF_BODIES = (
    "Cannot deserialize value",
    "Cannot construct instance",
    "Cannot invoke",
    "Failed to alter consumer group offsets",
    "Failed to modify offsets for sink connector",
    "Illegal null or empty Level name",
    "Unrecognized field",
    "not JSON",
    "the body must be an array of task configurations",
    "org.apache.kafka.connect.runtime.rest.errors.BadRequestException",
)

# What a path takes as it stands; dots alone, slashes and controls are refused on purpose.
SAFE = re.compile(r"[\w$-][\w$. -]{0,40}", re.ASCII)


@schemathesis.hook
def map_path_parameters(ctx, path_parameters):
    """Asks for what is there, more often than by chance."""
    likely = {"name": "orders", "class": "FileStreamSink", "logger": "root"}
    for name, value in (path_parameters or {}).items():
        if name in likely and not (isinstance(value, str) and SAFE.fullmatch(value)):
            path_parameters[name] = likely[name]
    return path_parameters


@schemathesis.check
def not_a_fault_of_the_worker(ctx, response, case):
    """500 is for bodies that are no good, and for nothing else."""
    if response.status_code >= 500:
        message = response.json()["message"]
        assert message.startswith(OF_BODIES), f"{response.status_code}: {message}"


@schemathesis.check
def bad_bodies_are_refused(ctx, response, case):
    """A body that the document does not allow is not taken."""
    body = case.meta and case.meta.components.get(ParameterLocation.BODY)
    if body and body.mode.is_negative:
        return negative_data_rejection(ctx, response, case)
