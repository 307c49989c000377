"""A small independent reader of binary glTF, so that tests do not trust the writer's library."""

from __future__ import annotations

import json
import struct
from functools import cached_property

import numpy as np

_DTYPES = {5121: "u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class GlbFile:
    """The JSON and the arrays of one `.glb`."""

    def __init__(self, data: bytes) -> None:
        magic, version, length = struct.unpack_from("<4sII", data)
        assert (magic, version, length) == (b"glTF", 2, len(data))
        json_length, kind = struct.unpack_from("<I4s", data, 12)
        assert kind == b"JSON"
        self.json = json.loads(data[20 : 20 + json_length])
        blob_length, kind = struct.unpack_from("<I4s", data, 20 + json_length)
        assert kind == b"BIN\0"
        self.blob = data[28 + json_length :]
        assert len(self.blob) == blob_length

    def view(self, index: int) -> bytes:
        view = self.json["bufferViews"][index]
        start = view.get("byteOffset", 0)
        return self.blob[start : start + view["byteLength"]]

    def accessor(self, index: int) -> np.ndarray:
        """Return `(n, width)`, sparse accessors filled in."""
        entry = self.json["accessors"][index]
        width, dtype = _WIDTHS[entry["type"]], _DTYPES[entry["componentType"]]
        array = np.zeros((entry["count"], width), dtype)
        if "bufferView" in entry:
            array[:] = np.frombuffer(self.view(entry["bufferView"]), dtype).reshape(-1, width)
        if sparse := entry.get("sparse"):
            kind = _DTYPES[sparse["indices"]["componentType"]]
            rows = np.frombuffer(self.view(sparse["indices"]["bufferView"]), kind)
            assert len(rows) == sparse["count"] >= 1
            assert (np.diff(rows.astype(int)) > 0).all()
            values = np.frombuffer(self.view(sparse["values"]["bufferView"]), dtype)
            array[rows] = values.reshape(-1, width)
        return array

    @cached_property
    def nodes(self) -> dict[str, dict]:
        return {node["name"]: node for node in self.json["nodes"]}

    def mesh(self, name: str) -> dict:
        return self.json["meshes"][self.nodes[name]["mesh"]]

    def primitive(self, name: str) -> dict:
        (primitive,) = self.mesh(name)["primitives"]
        return primitive

    def attribute(self, name: str, attribute: str) -> np.ndarray:
        return self.accessor(self.primitive(name)["attributes"][attribute])

    def targets(self, name: str, attribute: str = "POSITION") -> dict[str, np.ndarray]:
        """Return the differences of each named shape."""
        mesh = self.mesh(name)
        names = mesh.get("extras", {}).get("targetNames", [])
        targets = mesh["primitives"][0].get("targets", [])
        assert len(names) == len(targets) == len(mesh.get("weights", []))
        return {n: self.accessor(t[attribute]) for n, t in zip(names, targets, strict=True)}

    def material(self, name: str) -> dict:
        return self.json["materials"][self.primitive(name)["material"]]

    def world_position(self, name: str) -> np.ndarray:
        """Return the translation of a node, summed over its ancestors."""
        index = self.json["nodes"].index(self.nodes[name])
        total = np.array(self.nodes[name].get("translation", [0, 0, 0]), float)
        for node in self.json["nodes"]:
            if index in node.get("children", []):
                total += self.world_position(node["name"])
        return total
