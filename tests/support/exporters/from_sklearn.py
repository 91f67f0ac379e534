"""``python from_sklearn.py FOLDER``: files of scikit-learn's models by skl2onnx.

It runs in the exporters' environment, and writes what ``others`` reads: each file, what the model says of some rows,
and ``manifest.json``.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import skl2onnx
import sklearn
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression, Perceptron, RidgeClassifier, SGDClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, PolynomialFeatures, RobustScaler, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

warnings.simplefilter("ignore")
GENERATOR = np.random.default_rng(0)
ROWS = GENERATOR.uniform(-1, 1, (300, 8)).astype(np.float32)
CLASSES = (ROWS[:, :4] + 0.1 * GENERATOR.normal(size=(300, 4))).argmax(1)
TWO = (CLASSES > 1).astype(int)


def mlp(*hidden: int, **settings: object) -> MLPClassifier:
    return MLPClassifier(hidden or (6,), max_iter=60, random_state=0, **settings)


PLAIN = {"zipmap": False}
MODELS = {
    "logistic": (LogisticRegression(), CLASSES, PLAIN, 18, None),
    "logistic_named_classes": (LogisticRegression(), CLASSES, {}, None, None),
    "logistic_scores": (LogisticRegression(), CLASSES, {**PLAIN, "raw_scores": True}, 15, None),
    "logistic_two_classes": (LogisticRegression(), TWO, PLAIN, 13, None),
    "logistic_two_classes_named": (LogisticRegression(), TWO, {}, 17, None),
    "ridge": (RidgeClassifier(), CLASSES, PLAIN, 20, None),
    "perceptron": (Perceptron(), CLASSES, {**PLAIN, "raw_scores": True}, 17, None),
    "mlp": (mlp(), CLASSES, PLAIN, 18, None),
    "mlp_named_classes": (mlp(), CLASSES, {}, 13, None),
    "mlp_two_hidden": (mlp(7, 5), CLASSES, PLAIN, 12, None),
    "mlp_deep": (mlp(6, 6, 6, 6), CLASSES, PLAIN, 21, None),
    "mlp_of_linear_layers": (mlp(activation="identity"), CLASSES, PLAIN, 17, None),
    "mlp_standardised": (make_pipeline(StandardScaler(), mlp()), CLASSES, PLAIN, 18, None),
    "mlp_standardised_named": (make_pipeline(StandardScaler(), mlp()), CLASSES, {}, None, None),
    "mlp_in_a_range": (make_pipeline(MinMaxScaler(), mlp()), CLASSES, PLAIN, 15, None),
    "mlp_scaled": (make_pipeline(MaxAbsScaler(), mlp()), CLASSES, PLAIN, 14, None),
    "mlp_robust": (make_pipeline(RobustScaler(), mlp()), CLASSES, PLAIN, 19, None),
    "mlp_of_components": (make_pipeline(StandardScaler(), PCA(4), mlp()), CLASSES, PLAIN, 20, None),
    "logistic_standardised": (make_pipeline(StandardScaler(), LogisticRegression()), CLASSES, PLAIN, 16, None),
    "logistic_in_a_range": (make_pipeline(MinMaxScaler(), LogisticRegression()), CLASSES, {}, 18, None),
    "mlp_two_classes": (mlp(), TWO, PLAIN, 18, None),
    "mlp_two_classes_named": (mlp(), TWO, {}, 14, None),
    "mlp_two_classes_standardised": (make_pipeline(StandardScaler(), mlp()), TWO, PLAIN, 17, None),
    "logistic_by_descent": (SGDClassifier(loss="log_loss", random_state=0), TWO, PLAIN, 17, None),
    "mlp_of_chosen_features": (make_pipeline(SelectKBest(k=5), mlp()), CLASSES, PLAIN, 18, None),
    "vectors_of_two_classes": (LinearSVC(random_state=0), TWO, None, 17, "its sign tells the class, end in a sigmoid"),
    "mlp_tanh": (mlp(activation="tanh"), CLASSES, PLAIN, 18, "Tanh at .*: .*: train it again with Hardtanh"),
    "mlp_logistic": (mlp(activation="logistic"), CLASSES, PLAIN, 15, "Sigmoid at .*: it is not supported: train it"),
    "mlp_of_products": (
        make_pipeline(PolynomialFeatures(2), mlp()), CLASSES, PLAIN, 18, "ReduceProd at .*must join by addition",
    ),
    "tree": (DecisionTreeClassifier(), CLASSES, PLAIN, 15, "TreeEnsembleClassifier at .*: it is not supported"),
}  # fmt: skip
"""By name: the model, its classes, options of the exporter, the opset, and why the file is refused."""


def said(model: object, rows: np.ndarray, options: dict[str, bool] | None) -> np.ndarray:
    if hasattr(model, "predict_proba") and not (options or {}).get("raw_scores"):
        return np.asarray(model.predict_proba(rows))
    return np.asarray(model.decision_function(rows))


def main(folder: Path) -> None:
    manifest = []
    rows = ROWS[:8]
    for name, (model, classes, options, opset, refused) in MODELS.items():
        model.fit(ROWS, classes)
        told = {id(model): options} if options else None
        made = skl2onnx.to_onnx(model, ROWS[:1], options=told, target_opset=opset)
        onnx.save(made, folder / f"{name}.onnx")
        np.savez(folder / f"{name}.npz", rows=rows, said=said(model, rows, options))
        how = f"opset {opset or 'by default'}, float32, batch open" + (
            "" if options else ", scores with names of classes"
        )
        manifest.append({"name": name, "how": how, "refused": refused})
    versions = {"scikit-learn": sklearn.__version__, "skl2onnx": skl2onnx.__version__, "onnx": onnx.__version__}
    (folder / "manifest.json").write_text(json.dumps({"versions": versions, "files": manifest}), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
