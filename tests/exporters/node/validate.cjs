// Prints the report of Khronos' glTF validator for one file as JSON.
// usage: node validate.cjs NODE_MODULES FILE
const fs = require("node:fs");
const path = require("node:path");

const [modules, file] = process.argv.slice(2);
const validator = require(path.join(modules, "gltf-validator"));

validator
  .validateBytes(new Uint8Array(fs.readFileSync(file)), { maxIssues: 200 })
  .then((report) => console.log(JSON.stringify(report)))
  .catch((error) => {
    console.error(String(error));
    process.exit(1);
  });
