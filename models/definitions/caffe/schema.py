"""The supported part of Caffe's network format (caffe.proto), as protobuf messages.

The message classes are created at run time. The text format uses names and types of fields, not
their numbers, so the numbers here are not Caffe's.
"""

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

ENUMS = {
    "Phase": ("TRAIN", "TEST"),
    "Engine": ("DEFAULT", "CAFFE", "CUDNN"),
    "Backend": ("LEVELDB", "LMDB"),
    "ShareMode": ("STRICT", "PERMISSIVE"),
    "VarianceNorm": ("FAN_IN", "FAN_OUT", "AVERAGE"),
    "Pooled": ("MAX", "AVE", "STOCHASTIC"),
    "Element": ("PROD", "SUM", "MAX"),
    "Normalized": ("FULL", "VALID", "BATCH_SIZE", "NONE"),
}

SIDES = "kernel_h kernel_w pad_h pad_w stride_h stride_w"

SETTINGS_OF_LAYERS = {
    "TransformationParameter": "transform_param",
    "DataParameter": (
        "data_param hdf5_data_param image_data_param memory_data_param dummy_data_param"
    ),
    "InputParameter": "input_param",
    "ConvolutionParameter": "convolution_param",
    "ReLUParameter": "relu_param",
    "PReLUParameter": "prelu_param",
    "ELUParameter": "elu_param",
    "EngineParameter": "sigmoid_param tanh_param",
    "PoolingParameter": "pooling_param",
    "BatchNormParameter": "batch_norm_param",
    "ScaleParameter": "scale_param",
    "EltwiseParameter": "eltwise_param",
    "ConcatParameter": "concat_param",
    "PowerParameter": "power_param",
    "DropoutParameter": "dropout_param",
    "CropParameter": "crop_param",
    "SliceParameter": "slice_param",
    "PythonParameter": "python_param",
    "LossParameter": "loss_param",
    "AccuracyParameter": "accuracy_param",
}
"""Settings of layers by type, in each version of the format."""

MESSAGES: dict[str, dict[str, str]] = {
    # Each type with the names of its fields. A star marks repeated fields.
    "NetParameter": {
        "string": "name",
        "string*": "input",
        "int32*": "input_dim",
        "BlobShape*": "input_shape",
        "LayerParameter*": "layer",
        "V1LayerParameter*": "layers",
        "NetState": "state",
        "bool": "force_backward debug_info",
    },
    "BlobShape": {"int64*": "dim"},
    "NetState": {"Phase": "phase", "int32": "level", "string*": "stage"},
    "NetStateRule": {
        "Phase": "phase",
        "int32": "min_level max_level",
        "string*": "stage not_stage",
    },
    "ParamSpec": {"string": "name", "float": "lr_mult decay_mult", "ShareMode": "share_mode"},
    "FillerParameter": {
        "string": "type",
        "float": "value min max mean std",
        "int32": "sparse",
        "VarianceNorm": "variance_norm",
    },
    "LayerParameter": {
        "string": "name type",
        "string*": "bottom top",
        "Phase": "phase",
        "float*": "loss_weight",
        "bool*": "propagate_down",
        "ParamSpec*": "param",
        "NetStateRule*": "include exclude",
        **SETTINGS_OF_LAYERS,
    },
    # The formats V1 and V0: models/definitions/caffe/upgrade.py.
    "V1LayerParameter": {
        "string": "name type",
        "string*": "bottom top param",
        "float*": "blobs_lr weight_decay loss_weight",
        "ShareMode*": "blob_share_mode",
        "NetStateRule*": "include exclude",
        "V0LayerParameter": "layer",
        **SETTINGS_OF_LAYERS,
    },
    "V0LayerParameter": {
        "string": "name type source meanfile",
        "uint32": (
            "num_output pad kernelsize group stride batchsize cropsize rand_skip "
            "new_height new_width concat_dim"
        ),
        "bool": "biasterm mirror shuffle_images",
        "float": "scale dropout_ratio",
        "float*": "blobs_lr weight_decay",
        "FillerParameter": "weight_filler bias_filler",
        "Pooled": "pool",
    },
    "TransformationParameter": {
        "float": "scale",
        "float*": "mean_value",
        "bool": "mirror force_color force_gray",
        "uint32": "crop_size",
        "string": "mean_file",
    },
    "DataParameter": {
        "string": "source root_folder mean_file",
        "uint32": (
            "batch_size rand_skip prefetch crop_size channels height width new_height new_width"
        ),
        "Backend": "backend",
        "bool": "shuffle mirror force_encoded_color is_color",
        "float": "scale",
        "uint32*": "num",
        "FillerParameter*": "data_filler",
        "BlobShape*": "shape",
    },
    "InputParameter": {"BlobShape*": "shape"},
    "ConvolutionParameter": {
        "uint32": f"num_output group {SIDES}",
        "int32": "axis",
        "uint32*": "kernel_size pad stride dilation",
        "bool": "bias_term force_nd_im2col",
        "FillerParameter": "weight_filler bias_filler",
        "Engine": "engine",
    },
    "ReLUParameter": {"float": "negative_slope", "Engine": "engine"},
    "PReLUParameter": {"FillerParameter": "filler", "bool": "channel_shared"},
    "ELUParameter": {"float": "alpha"},
    "EngineParameter": {"Engine": "engine"},
    "PoolingParameter": {
        "Pooled": "pool",
        "uint32": f"kernel_size pad stride {SIDES}",
        "bool": "global_pooling",
        "Engine": "engine",
    },
    "BatchNormParameter": {"bool": "use_global_stats", "float": "moving_average_fraction eps"},
    "ScaleParameter": {
        "int32": "axis num_axes",
        "bool": "bias_term",
        "FillerParameter": "filler bias_filler",
    },
    "EltwiseParameter": {"Element": "operation", "float*": "coeff", "bool": "stable_prod_grad"},
    "ConcatParameter": {"int32": "axis", "uint32": "concat_dim"},
    "PowerParameter": {"float": "power scale shift"},
    "DropoutParameter": {"float": "dropout_ratio"},
    "CropParameter": {"int32": "axis", "uint32*": "offset"},
    "SliceParameter": {"int32": "axis", "uint32*": "slice_point", "uint32": "slice_dim"},
    "PythonParameter": {"string": "module layer param_str", "bool": "share_in_parallel"},
    "AccuracyParameter": {"uint32": "top_k", "int32": "axis ignore_label"},
    "LossParameter": {"int32": "ignore_label", "bool": "normalize", "Normalized": "normalization"},
}

PACKAGE = "clearframe.caffe"

SCALARS = {
    "string": FieldDescriptorProto.TYPE_STRING,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "float": FieldDescriptorProto.TYPE_DOUBLE,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "uint32": FieldDescriptorProto.TYPE_UINT32,
}


def _file() -> FileDescriptorProto:
    file = FileDescriptorProto(name="clearframe/caffe.proto", package=PACKAGE, syntax="proto2")
    for name, values in ENUMS.items():
        # Each enum needs a separate message: protobuf puts the names of its values into the
        # enclosing scope, where they would collide.
        enum = file.message_type.add(name=f"{name}Scope").enum_type.add(name=name)
        for number, value in enumerate(values):
            enum.value.add(name=value, number=number)
    for name, kinds in MESSAGES.items():
        _add_fields(file.message_type.add(name=name), kinds)
    return file


def _add_fields(message: DescriptorProto, kinds: dict[str, str]) -> None:
    number = 0
    for kind, names in kinds.items():
        bare = kind.removesuffix("*")
        for name in names.split():
            number += 1
            field = message.field.add(name=name, number=number)
            field.label = (
                FieldDescriptorProto.LABEL_REPEATED
                if kind.endswith("*")
                else FieldDescriptorProto.LABEL_OPTIONAL
            )
            if bare in SCALARS:
                field.type = SCALARS[bare]
            elif bare in ENUMS:
                field.type, field.type_name = (
                    FieldDescriptorProto.TYPE_ENUM,
                    f".{PACKAGE}.{bare}Scope.{bare}",
                )
            else:
                field.type, field.type_name = (
                    FieldDescriptorProto.TYPE_MESSAGE,
                    f".{PACKAGE}.{bare}",
                )


_pool = DescriptorPool()
_pool.Add(_file())
NetParameter, LayerParameter = (
    GetMessageClass(_pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
    for name in ("NetParameter", "LayerParameter")
)


def enum_name(enum: str, value: int) -> str:
    """The name of an enum's value."""
    return ENUMS[enum][value]
