"""Runs inside Blender's own Python: imports a GLB and prints what arrived, as JSON.

usage: python blender_inspect.py FILE.glb
"""

from __future__ import annotations

import json
import sys

import bpy


def main(path: str) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=path)
    # Blender puts an Icosphere of its own beside the armature, as the shape of its bones.
    objects = [o for o in bpy.data.objects if o.type == "MESH" and o.parent is not None]
    armatures = [o for o in bpy.data.objects if o.type == "ARMATURE"]
    report = {
        "objects": [item.name for item in objects],
        "meshes": {item.data.name: _mesh(item) for item in objects},
        "bones": [bone.name for armature in armatures for bone in armature.data.bones],
        "actions": sorted(action.name for action in bpy.data.actions),
    }
    print("REPORT " + json.dumps(report))


def _mesh(item: bpy.types.Object) -> dict:
    points = [item.matrix_world @ vertex.co for vertex in item.data.vertices]
    low = [min(p[axis] for p in points) for axis in range(3)]
    high = [max(p[axis] for p in points) for axis in range(3)]
    keys = item.data.shape_keys.key_blocks if item.data.shape_keys else []
    return {
        "vertices": len(points),
        "low": low,
        "high": high,
        "keys": {key.name: _largest_move(key) for key in list(keys)[1:]},
        "materials": [slot.material.name for slot in item.material_slots],
        "groups": [group.name for group in item.vertex_groups],
    }


def _largest_move(key: bpy.types.ShapeKey) -> float:
    pairs = zip(key.data, key.relative_key.data, strict=True)
    return max((moved.co - rest.co).length for moved, rest in pairs)


if __name__ == "__main__":
    main(sys.argv[1])
