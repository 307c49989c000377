"""Measure how well a photo is fitted, and look into the fit itself.

    python examples/evaluate_fit.py [FOLDER]

`lifemask.evaluate` takes photos and videos and writes a page with numbers and pictures. The same
steps can be taken one by one, to use what the solver found: identity, expression, pose, camera.
"""

from __future__ import annotations

import numpy as np
from _demo_avatar import PORTRAIT, output_folder

import lifemask
from lifemask.geometry import matrix_axis_angle, read_image
from lifemask.tracking import FaceLandmarker, fit_photo, select_face


def main() -> None:
    """Write the report, then fit by hand."""
    folder = output_folder()
    evaluation = lifemask.evaluate(PORTRAIT, folder / "evaluation", fit_only=True)
    (measured,) = evaluation.measurements
    print(f"landmark error {measured.error.median:.2f} % of the distance of the outer eye corners")
    for region, error in measured.regions.items():
        print(f"  {region}: {error.median:.2f} %")

    with FaceLandmarker() as landmarker:
        face = select_face(landmarker.detect(read_image(PORTRAIT)))
    fit = fit_photo(face, lifemask.load_head_model())
    turned = np.degrees(matrix_axis_angle(fit.pose.rotation))
    print(f"focal length {fit.camera.focal:.0f} pixels, {-fit.pose.translation[2]:.2f} m away")
    print("turned {:+.1f}° down, {:+.1f}° to its own left, {:+.1f}° tilted".format(*turned))
    strongest = np.argsort(fit.coefficients)[::-1][:4]
    shown = [f"{lifemask.COEFFICIENT_NAMES[i]} {fit.coefficients[i]:.2f}" for i in strongest]
    print(f"strongest expressions: {', '.join(shown)}")
    print(f"wrote {evaluation.html_path} and {evaluation.json_path}")


if __name__ == "__main__":
    main()
