"""The function that tries to get out: a probe does one thing that no function may, and tells what happened.

It is deployed as it is. Probes answer with names of errors (`EPERM`), counts or what they found; the tests judge.
"""

import bombs
import files
import kernel
import neighbour
import network
import processes

AREAS = (files, processes, kernel, network, bombs, neighbour)


def handler(event, context):
    """Run one probe: `probe` is its name, `with` its arguments."""
    probe = next(vars(area)[event["probe"]] for area in AREAS if event["probe"] in vars(area))
    return probe(**event.get("with", {}))
