"""botocore's service models, read when first asked for: which services there are, and the codec of an operation.

botocore ships more than 400 models, 10 MB the largest, so none is read at start. Finding a service by its signing
name, target prefix or host needs only the metadata at the head of each file, which is read for all services at the
first request that a service's own name does not answer.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore
import msgspec
from botocore import xform_name

from lambent.kernel import limits
from lambent.kernel.ids import SystemIds
from lambent.wire.codec import Dialect, OperationCodec
from lambent.wire.errors import ErrorWriter
from lambent.wire.overlay import Overlay, load
from lambent.wire.shapes import ServiceModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lambent.kernel.ids import Ids


class UnknownService(LookupError):
    """botocore has no model of this name."""


class Models:
    """The service models by botocore's name of the service."""

    def __init__(self, ids: Ids | None = None, folder: Path | None = None) -> None:
        """`ids` makes the idempotency tokens that clients leave out; `folder` is botocore's data by default."""
        self._ids = ids or SystemIds()
        self._folder = folder or Path(botocore.__file__).parent / "data"
        self._services: dict[str, ServiceModel] = {}
        self._overlays: dict[str, Overlay] = {}
        self._dialects: dict[tuple[str, str], Dialect] = {}
        self._codecs: dict[tuple[str, str, str], OperationCodec] = {}
        self._read_heads: dict[str, dict[str, Any]] = {}
        self._methods: dict[str, dict[str, str]] = {}

    def names(self) -> frozenset[str]:
        """Every service that has a model."""
        return self._names

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(file.parts[-3] for file in self._folder.glob("*/*/service-2.json.gz"))

    def loaded(self) -> tuple[str, ...]:
        """The services whose models have been read so far."""
        return tuple(self._services)

    def service(self, name: str) -> ServiceModel:
        """The model of a service, kept from then on. Raises UnknownService."""
        known = self._services.get(name)
        if known is None:
            known = self._services[name] = self.read(name)
        return known

    def read(self, name: str) -> ServiceModel:
        """The model of a service, read anew. Raises UnknownService."""
        return ServiceModel(name, msgspec.json.decode(gzip.decompress(self._file(name).read_bytes())))

    def overlay(self, name: str) -> Overlay:
        """What the model of a service leaves out."""
        if name not in self._overlays:
            self._overlays[name] = load(name)
        return self._overlays[name]

    def protocols(self, name: str) -> tuple[str, ...]:
        """The protocols that a service speaks, the preferred one first. Raises UnknownService."""
        metadata = self.head(name)
        return (*metadata.get("protocols", [metadata["protocol"]]), *self.overlay(name).protocols)

    def codec(self, service: str, operation: str, protocol: str | None = None) -> OperationCodec:
        """The codec of an operation, in the service's preferred protocol where none is named.

        Raises UnknownService; KeyError where the service has no such operation.
        """
        protocol = protocol or self.protocols(service)[0]
        key = (service, operation, protocol)
        known = self._codecs.get(key)
        if known is None:
            model = self.service(service).operations[operation]
            known = self._codecs[key] = OperationCodec(self.dialect(service, protocol), model, xform_name(operation))
        return known

    def dialect(self, service: str, protocol: str) -> Dialect:
        """What the operations of a service share in one protocol: its errors above all. Raises UnknownService."""
        key = (service, protocol)
        known = self._dialects.get(key)
        if known is None:
            model = self.service(service)
            known = self._dialects[key] = Dialect(model, protocol, self.overlay(service), self._ids)
        return known

    def operation(self, service: str, method: str) -> str:
        """The operation that botocore's clients call `method`. Raises UnknownService, KeyError."""
        if service not in self._methods:
            self._methods[service] = {xform_name(name): name for name in self.service(service).operations}
        return self._methods[service][method]

    def by_signing_name(self, name: str) -> tuple[str, ...]:
        """The services that sign as `name`; the one that is called so first."""
        return self._by_signing_name.get(name, ())

    def by_target(self, prefix: str) -> tuple[str, ...]:
        """The services whose X-Amz-Target starts with `prefix`."""
        return self._by_target.get(prefix, ())

    def by_host(self, label: str) -> tuple[str, ...]:
        """The services whose host names start with `label`."""
        return self._by_host.get(label, ())

    def by_version(self, version: str) -> tuple[str, ...]:
        """The services of the form protocols whose API has this version."""
        return self._by_version.get(version, ())

    def head(self, name: str) -> dict[str, Any]:
        """The metadata of a service, without reading its model. Raises UnknownService."""
        if name not in self._read_heads:
            self._read_heads[name] = _metadata(self._file(name))
        return self._read_heads[name]

    def foreign_errors(self, protocol: str, service: str = "") -> ErrorWriter:
        """Writes errors in `protocol` for requests to no service at all, or to one whose model is not to be read."""
        head = self.head(service) if service else {}
        return ErrorWriter(ServiceModel(service, {"metadata": head}), protocol, Overlay())

    @cached_property
    def _heads(self) -> dict[str, dict[str, Any]]:
        return {name: self.head(name) for name in sorted(self._names)}

    @cached_property
    def _by_signing_name(self) -> dict[str, tuple[str, ...]]:
        return _index(self._heads, lambda head: [head.get("signingName", head["endpointPrefix"])])

    @cached_property
    def _by_target(self) -> dict[str, tuple[str, ...]]:
        return _index(self._heads, lambda head: [head["targetPrefix"]] if "targetPrefix" in head else [])

    @cached_property
    def _by_host(self) -> dict[str, tuple[str, ...]]:
        return _index(self._heads, lambda head: [head["endpointPrefix"]])

    @cached_property
    def _by_version(self) -> dict[str, tuple[str, ...]]:
        forms = {"query", "ec2"}
        heads = {
            name: head
            for name, head in self._heads.items()
            if forms & {head["protocol"], *head.get("protocols", ()), *self.overlay(name).protocols}
        }
        return _index(heads, lambda head: [head["apiVersion"]])

    def _file(self, name: str) -> Path:
        files = sorted((self._folder / name).glob("*/service-2.json.gz")) if _NAME.fullmatch(name) else []
        if not files:
            raise UnknownService(name)
        return files[-1]


def _index(
    heads: Mapping[str, dict[str, Any]], keys: Callable[[dict[str, Any]], Iterable[str]]
) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for name, head in heads.items():
        for key in keys(head):
            found.setdefault(key, []).append(name)
    return {key: tuple(sorted(names, key=lambda name: name != key)) for key, names in found.items()}


def _metadata(file: Path) -> dict[str, Any]:
    """The metadata at the head of a model, without reading the rest of it."""
    unzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
    with file.open("rb") as packed:
        head = unzip.decompress(packed.read(limits.MODEL_HEAD_BYTES)).decode(errors="ignore")
    _, key, rest = head.partition('"metadata":')
    if not key:
        raise ValueError(f"{file} does not begin with its metadata")
    metadata: dict[str, Any] = json.JSONDecoder().raw_decode(rest.lstrip())[0]
    return metadata


_NAME = re.compile(r"[a-z0-9-]+")
