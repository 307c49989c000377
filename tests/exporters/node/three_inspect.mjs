// Loads a GLB with three.js and prints what arrived, as JSON.
// usage: node three_inspect.mjs NODE_MODULES FILE
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [modules, file] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(path.join(modules, "three", name)).href);

// Pictures need a browser; geometry, skins, shapes and materials do not.
globalThis.self = globalThis;
globalThis.createImageBitmap = async () => ({ width: 1, height: 1, close() {} });

const { GLTFLoader } = await load("examples/jsm/loaders/GLTFLoader.js");
const bytes = fs.readFileSync(file);
const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
const gltf = await new Promise((resolve, reject) =>
  new GLTFLoader().parse(buffer, "", resolve, reject),
);

function largestMove(attribute) {
  let largest = 0;
  for (let i = 0; i < attribute.count; i++) {
    largest = Math.max(largest, Math.hypot(attribute.getX(i), attribute.getY(i), attribute.getZ(i)));
  }
  return largest;
}

const meshes = {};
gltf.scene.traverse((object) => {
  if (!object.isMesh) return;
  const names = object.morphTargetDictionary ?? {};
  const morphs = object.geometry.morphAttributes;
  meshes[object.name] = {
    skinned: object.isSkinnedMesh === true,
    bones: object.skeleton?.bones.map((bone) => bone.name) ?? [],
    influences: object.morphTargetInfluences?.length ?? 0,
    moves: Object.fromEntries(
      Object.entries(names).map(([name, index]) => [name, largestMove(morphs.position[index])]),
    ),
    normals: morphs.normal?.length ?? 0,
    alphaTest: object.material.alphaTest,
    map: object.material.map !== null,
  };
});
console.log(
  JSON.stringify({
    meshes,
    animations: gltf.animations.map((clip) => ({
      name: clip.name,
      duration: clip.duration,
      tracks: clip.tracks.length,
    })),
    extras: gltf.asset.extras,
  }),
);
