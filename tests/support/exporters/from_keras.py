"""``python from_keras.py FOLDER``: files of Keras' models by tf2onnx, and by Keras itself.

It runs in the exporters' environment, and writes what ``others`` reads: each file, what the model says of some rows,
and ``manifest.json``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import onnx
import tensorflow
import tf2onnx
from keras import layers as k

warnings.simplefilter("ignore")
IMAGE, COLOURS, ROW = (12, 12, 1), (8, 8, 3), (12,)


def conv(channels: int, size: int = 3, **settings: object) -> list[k.Layer]:
    return [k.Conv2D(channels, size, **{"padding": "same", "activation": "relu", **settings})]


def normal(channels: int, size: int = 3, **settings: object) -> list[k.Layer]:
    layer = k.Conv2D(channels, size, **{"padding": "same", "use_bias": False, **settings})
    return [layer, k.BatchNormalization(), k.ReLU()]


def chain(*parts: k.Layer | list[k.Layer]) -> list[k.Layer]:
    return [layer for part in parts for layer in (part if isinstance(part, list) else [part])]


def normalisation(shape: tuple[int, ...]) -> k.Layer:
    layer = k.Normalization()
    layer.adapt(np.random.default_rng(3).uniform(-1, 0.5, (64, *shape)).astype(np.float32))
    return layer


def apply(parts: list[k.Layer], value: object) -> object:
    for layer in parts:
        value = layer(value)
    return value


def residual(value: object) -> object:
    value = apply(normal(4), value)
    main = apply([*normal(4), k.Conv2D(4, 3, padding="same"), k.BatchNormalization()], value)
    return apply([k.GlobalAveragePooling2D(), k.Dense(4)], k.ReLU()(k.Add()([main, value])))


def projected(value: object) -> object:
    value = apply(normal(4), value)
    main = apply([*normal(6, strides=2), k.Conv2D(6, 3, padding="same"), k.BatchNormalization()], value)
    short = apply([k.Conv2D(6, 1, strides=2), k.BatchNormalization()], value)
    return apply([k.GlobalAveragePooling2D(), k.Dense(4)], k.ReLU()(k.Add()([main, short])))


def inception(value: object) -> object:
    value = apply(conv(4), value)
    joined = k.Concatenate()([apply(conv(2, 1), value), apply(conv(3, 3), value), apply(conv(2, 5), value)])
    return apply([k.GlobalAveragePooling2D(), k.Dense(4, activation="softmax")], joined)


def branches(value: object) -> object:
    return k.Dense(4)(k.Concatenate()([k.Dense(6, activation="relu")(value), value]))


def lstm(layer: k.Layer) -> list[k.Layer]:
    return [k.Reshape((4, 3)), layer, k.Dense(3)]


def activated(layer: k.Layer) -> list[k.Layer]:
    return [k.Dense(8), layer, k.Dense(4)]


WAYS = ("tf2onnx", "keras", "channels_first")
SAVED = ("normalised_row", "normalised_image", "normalised_as_a_whole")
"""Models that are saved first, and converted from there."""
ACTIVATION = "it is not supported: train it again with"
MODELS = {
    "dense": (chain(k.Dense(8, activation="relu"), k.Dense(4)), ROW, None),
    "dense_softmax": (chain(k.Dense(8, activation="relu"), k.Dense(4, activation="softmax")), ROW, None),
    "dense_batchnorm": (
        chain(k.Dense(8), k.BatchNormalization(), k.ReLU(), k.Dropout(0.5), k.Dense(4)), ROW, None,
    ),
    "dense_batchnorm_after_relu": (
        chain(k.Dense(8, activation="relu"), k.BatchNormalization(), k.Dense(4, activation="softmax")), ROW, None,
    ),
    "dense_rescaled": (chain(k.Rescaling(0.5, 0.25), k.Dense(8, activation="relu"), k.Dense(4)), ROW, None),
    "dense_of_an_image": (chain(k.Flatten(), k.Dense(8, activation="relu"), k.Dense(4)), COLOURS, None),
    "dense_branches": (branches, ROW, None),
    "lenet": (
        chain(
            conv(3, 5), k.MaxPooling2D(), conv(4, 3, padding="valid"), k.MaxPooling2D(), k.Flatten(),
            k.Dense(8, activation="relu"), k.Dense(5, activation="softmax"),
        ), IMAGE, None,
    ),
    "lenet_average": (
        chain(conv(3, 5), k.AveragePooling2D(2), k.Flatten(), k.Dense(8, activation="relu"), k.Dense(5)), IMAGE, None,
    ),
    "vgg": (
        chain(conv(4), conv(4), k.MaxPooling2D(), k.Flatten(), k.Dense(8, activation="relu"), k.Dense(4)), COLOURS,
        None,
    ),
    "vgg_batchnorm": (
        chain(normal(4), normal(4), k.MaxPooling2D(), k.Flatten(), k.Dropout(0.3), k.Dense(4, activation="softmax")),
        COLOURS, None,
    ),
    "vgg_batchnorm_after_relu": (
        chain(conv(4), k.BatchNormalization(), k.MaxPooling2D(), conv(4), k.GlobalAveragePooling2D(), k.Dense(4)),
        COLOURS, None,
    ),
    "vgg_rescaled": (
        chain(k.Rescaling(0.5, 0.5), conv(4), k.MaxPooling2D(), k.Flatten(), k.Dense(4)), COLOURS, None,
    ),
    "global_average": (chain(conv(4), conv(6, strides=2), k.GlobalAveragePooling2D(), k.Dense(4)), COLOURS, None),
    "global_average_kept": (
        chain(conv(4), k.GlobalAveragePooling2D(keepdims=True), k.Conv2D(5, 1), k.Flatten()), COLOURS, None,
    ),
    "global_maximum": (chain(conv(4), k.GlobalMaxPooling2D(), k.Dense(4)), COLOURS, None),
    "resnet": (residual, COLOURS, None),
    "resnet_projected": (projected, COLOURS, None),
    "inception": (inception, COLOURS, None),
    "mobilenet": (
        chain(
            normal(4, strides=2), k.DepthwiseConv2D(3, padding="same", use_bias=False), k.BatchNormalization(),
            k.ReLU(), normal(6, 1), k.GlobalAveragePooling2D(), k.Dense(4),
        ), COLOURS, None,
    ),
    "dilated": (chain(conv(3, dilation_rate=2), k.Flatten(), k.Dense(3)), IMAGE, None),
    "zero_padded": (
        chain(k.ZeroPadding2D(((0, 1), (0, 1))), conv(4, strides=2, padding="valid"), k.Flatten(), k.Dense(3)), COLOURS,
        None,
    ),
    "reshaped": (chain(k.Reshape((3, 4, 1)), conv(3), k.Flatten(), k.Dense(3)), ROW, None),
    "separable": (
        chain(conv(4), k.SeparableConv2D(4, 3, activation="relu"), k.Flatten(), k.Dense(3)), COLOURS, None,
    ),
    "average_of_the_inside": (
        chain(conv(4), k.AveragePooling2D(3, 2, padding="same"), k.Flatten(), k.Dense(3)), COLOURS, "does not count",
    ),
    # The exporter makes inputs of the numbers of this layer, and leaves them out; of a SavedModel it does not.
    "normalised": (
        chain(normalisation(ROW), k.Dense(8, activation="relu"), k.Dense(4)), ROW, "3 inputs .*--saved-model",
    ),
    "normalised_row": (chain(normalisation(ROW), k.Dense(8, activation="relu"), k.Dense(4)), ROW, None),
    "normalised_image": (
        chain(k.Rescaling(0.5, 0.5), normalisation(COLOURS), conv(4), k.GlobalAveragePooling2D(), k.Dense(4)), COLOURS,
        None,
    ),
    "normalised_as_a_whole": (
        chain(k.Normalization(mean=0.25, variance=0.5), conv(4), k.Flatten(), k.Dense(4)), COLOURS, None,
    ),
    "relu6": (activated(k.ReLU(6.0)), ROW, None),
    "leaky_relu": (activated(k.LeakyReLU(negative_slope=0.125)), ROW, None),
    "hard_sigmoid": (activated(k.Activation("hard_sigmoid")), ROW, None),
    "sigmoid": (activated(k.Activation("sigmoid")), ROW, ACTIVATION),
    "gelu": (activated(k.Activation("gelu")), ROW, "Erfc is no operator of ONNX.*: train it again with"),
    "layer_norm": (activated(k.LayerNormalization()), ROW, "use a batch normalisation"),
    "lstm": (lstm(k.LSTM(5)), ROW, "recurrent"),
    # The exporter writes its nodes in no order.
    "gru": (lstm(k.GRU(5)), ROW, "topologically sorted"),
    "transposed_convolution": (
        chain(conv(2), k.Conv2DTranspose(2, 2, 2, activation="relu"), k.Flatten(), k.Dense(3)), COLOURS,
        "ConvTranspose",
    ),
    "one_probability": (chain(k.Dense(4, activation="relu"), k.Dense(1, activation="sigmoid")), ROW, None),
    "one_probability_of_an_image": (
        chain(normal(4), k.GlobalAveragePooling2D(), k.Dense(1, activation="sigmoid")), COLOURS, None,
    ),
    "one_logit": (chain(k.Dense(4, activation="relu"), k.Dense(1)), ROW, "end in a sigmoid"),
}  # fmt: skip
"""By name: the layers, or a function of the input; the shape of the input; and why the file is refused."""


def built(parts: object, shape: tuple[int, ...]) -> keras.Model:
    keras.utils.set_random_seed(1)
    given = keras.Input(shape)
    model = keras.Model(given, apply(parts, given) if isinstance(parts, list) else parts(given))
    generator = np.random.default_rng(2)
    for weight in model.weights:
        # Biases and statistics that are not those of initialisation; all of these may be positive.
        if len(weight.shape) == 1 and "kernel" not in weight.name and "seed" not in weight.name:
            weight.assign(generator.uniform(0.25, 0.75, weight.shape))
    return model


def main(folder: Path) -> None:
    manifest = []
    for number, (name, (parts, shape, refused)) in enumerate(MODELS.items()):
        model = built(parts, shape)
        rows = np.random.default_rng(number).uniform(-1, 1, (8, *shape)).astype(np.float32)
        said = np.asarray(model(rows, training=False)).reshape(8, -1)
        is_image, opset = len(shape) == 3, (13, 15, 17, 18)[number % 4]
        for way in ("saved_model",) if name in SAVED else WAYS[: 1 if refused else 3 if is_image else 2]:
            path = folder / f"{name}_{way}.onnx"
            batch = 2 if way == "tf2onnx" and number % 2 else None
            if way == "keras":
                model.export(path, format="onnx", verbose=False, opset_version=opset)
            elif way == "saved_model":
                model.export(folder / name, verbose=False)
                told = ["--saved-model", folder / name, "--output", path, "--opset", str(opset)]
                subprocess.run([sys.executable, "-m", "tf2onnx.convert", *told], check=True, capture_output=True)
            else:
                signature = [tensorflow.TensorSpec((batch, *shape), tensorflow.float32, name="x")]
                function = tensorflow.function(lambda x, model=model: model(x, training=False))
                first = ["x:0"] if way == "channels_first" else None
                tf2onnx.convert.from_function(
                    function, signature, opset=opset, inputs_as_nchw=first, output_path=str(path)
                )
            given = np.moveaxis(rows, 3, 1) if way == "channels_first" else rows
            np.savez(folder / f"{name}_{way}.npz", rows=given, said=said)
            how = f"{way}, opset {opset}, float32, batch {'fixed' if batch else 'open'}"
            is_last = is_image and way != "channels_first" and shape[2] > 1
            manifest.append(
                {
                    "name": f"{name}_{way}",
                    "how": how,
                    "refused": refused,
                    "are_channels_last": is_last,
                }
            )
    versions = {
        "tensorflow": tensorflow.__version__, "keras": keras.__version__, "tf2onnx": tf2onnx.__version__,
        "onnx": onnx.__version__,
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps({"versions": versions, "files": manifest}), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
