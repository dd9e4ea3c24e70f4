"""TensorFlow's operations that compute, and do nothing else.

The list is of what is allowed, since that of what is harmful would lack the next one:
`PrintV2` writes a file if its output is called so, `DebugIdentity` sends what it is
given to an address, `DecodeProtoV2` reads a description from a path. An operation
belongs here if what it does follows from its inputs, or from variables of the model
and random numbers; if it names no file, address, device or library; and if it runs
nothing but functions of the same graph. Of datasets, those that the exports here are
made of.
"""

_VALUES = """
AddN Bitcast BroadcastArgs BroadcastGradientArgs BroadcastTo Cast CheckNumerics
CheckNumericsV2 ConcatOffset ConcatV2 Const DeepCopy DynamicPartition DynamicStitch
EnsureShape ExpandDims Fill Gather GatherNd GatherV2 GuaranteeConst Identity IdentityN
InvertPermutation LinSpace MatrixBandPart MatrixDiagPartV3 MatrixDiagV3
MatrixSetDiagV3 MirrorPad MirrorPadGrad NoOp OneHot OnesLike Pack Pad PadV2
ParallelConcat ParallelDynamicStitch Placeholder PlaceholderWithDefault PreventGradient
Range Rank Reshape ResourceGather ReverseSequence ReverseV2 Roll ScatterNd
SegmentMax SegmentMean SegmentMin SegmentProd SegmentSum SelectV2 Select Shape ShapeN
Size Slice Snapshot SpaceToBatchND BatchToSpaceND SpaceToDepth DepthToSpace Split SplitV
Squeeze StopGradient StridedSlice StridedSliceGrad TensorScatterAdd TensorScatterMax
TensorScatterMin TensorScatterSub TensorScatterUpdate TensorStridedSliceUpdate Tile
Transpose Unique UniqueV2 UniqueWithCounts UniqueWithCountsV2 Unpack UnravelIndex
UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum
UpperBound LowerBound Where ZerosLike
"""

_MATHEMATICS = """
Abs Acos Acosh Add AddV2 All Angle Any ApproximateEqual ArgMax ArgMin Asin Asinh Atan
Atan2 Atanh BesselI0e BesselI1e Betainc Bincount BitwiseAnd BitwiseOr BitwiseXor
Bucketize Ceil ClipByValue Complex ComplexAbs Conj Cos Cosh Cross Cumprod Cumsum
CumulativeLogsumexp DenseBincount Digamma Div DivNoNan Equal Erf Erfc Erfinv Exp Expm1
Floor FloorDiv FloorMod Greater GreaterEqual HistogramFixedWidth Igamma Igammac Imag Inv
InvGrad Invert IsFinite IsInf IsNan LeftShift Less LessEqual Lgamma Log Log1p LogicalAnd
LogicalNot LogicalOr Max Maximum Mean Min Minimum Mod Mul MulNoNan Ndtri Neg NextAfter
NotEqual Polygamma Pow Prod Real RealDiv Reciprocal ReciprocalGrad RightShift Rint Round
Rsqrt RsqrtGrad Sigmoid SigmoidGrad Sign Sin Sinh Sqrt SqrtGrad Square SquaredDifference
Sub Sum Tan Tanh TanhGrad TruncateDiv TruncateMod Xdivy Xlog1py Xlogy Zeta
"""

_ALGEBRA = """
BatchMatMul BatchMatMulV2 BatchMatMulV3 Cholesky Einsum FFT FFT2D FFT3D IFFT IFFT2D
IFFT3D IRFFT IRFFT2D IRFFT3D RFFT RFFT2D RFFT3D MatMul MatrixDeterminant MatrixInverse
MatrixSolve MatrixTriangularSolve Qr SelfAdjointEigV2 Svd
"""

_NETWORKS = """
AvgPool AvgPool3D AvgPool3DGrad AvgPoolGrad BiasAdd BiasAddGrad BiasAddV1 Conv Conv2D
Conv2DBackpropFilter Conv2DBackpropInput Conv3D Conv3DBackpropFilterV2
Conv3DBackpropInputV2 DataFormatDimMap DataFormatVecPermute DepthwiseConv2dNative
DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput Dilation2D
Dilation2DBackpropFilter Dilation2DBackpropInput Elu EluGrad FusedBatchNorm
FusedBatchNormGrad FusedBatchNormGradV2 FusedBatchNormGradV3 FusedBatchNormV2
FusedBatchNormV3 FusedPadConv2D FusedResizeAndPadConv2D InTopK InTopKV2 L2Loss LRN
LRNGrad LeakyRelu LeakyReluGrad LogSoftmax MaxPool MaxPool3D MaxPool3DGrad
MaxPool3DGradGrad MaxPoolGrad MaxPoolGradGrad MaxPoolGradGradV2 MaxPoolGradV2 MaxPoolV2
MaxPoolWithArgmax MaxPoolGradWithArgmax NthElement Relu Relu6 Relu6Grad ReluGrad Selu
SeluGrad Softmax SoftmaxCrossEntropyWithLogits Softplus SoftplusGrad Softsign
SoftsignGrad SparseSoftmaxCrossEntropyWithLogits TopK TopKV2
"""

_EIGHT_BITS = """
Dequantize FakeQuantWithMinMaxArgs FakeQuantWithMinMaxArgsGradient
FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsGradient
FakeQuantWithMinMaxVarsPerChannel FakeQuantWithMinMaxVarsPerChannelGradient
QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4
QuantizeAndDequantizeV4Grad QuantizeV2
"""

_PICTURES = """
AdjustContrastv2 AdjustHue AdjustSaturation CropAndResize CropAndResizeGradBoxes
CropAndResizeGradImage DecodeAndCropJpeg DecodeBmp DecodeGif DecodeImage DecodeJpeg
DecodePng DecodeRaw DecodeWebP DrawBoundingBoxesV2 EncodeJpeg EncodeJpegVariableQuality
EncodePng ExtractGlimpseV2 ExtractImagePatches ExtractJpegShape HSVToRGB
ImageProjectiveTransformV2 ImageProjectiveTransformV3 NonMaxSuppressionV3
NonMaxSuppressionV4 NonMaxSuppressionV5 CombinedNonMaxSuppression RGBToHSV ResizeArea
ResizeBicubic ResizeBicubicGrad ResizeBilinear ResizeBilinearGrad ResizeNearestNeighbor
ResizeNearestNeighborGrad ScaleAndTranslate ScaleAndTranslateGrad
"""

_TEXT = """
AsString DecodeBase64 EncodeBase64 ReduceJoin RegexFullMatch RegexReplace
StaticRegexFullMatch StaticRegexReplace StringFormat StringJoin StringLength StringLower
StringSplit StringSplitV2 StringStrip StringToHashBucketFast StringToNumber StringUpper
Substr UnicodeDecode UnicodeEncode UnicodeTranscode
"""

_RANDOM = """
Multinomial RandomGamma RandomShuffle RandomStandardNormal RandomUniform
RandomUniformInt StatelessMultinomial StatelessRandomGetAlg StatelessRandomGetKeyCounter
StatelessRandomGetKeyCounterAlg StatelessRandomNormal StatelessRandomNormalV2
StatelessRandomUniform StatelessRandomUniformFullInt StatelessRandomUniformFullIntV2
StatelessRandomUniformInt StatelessRandomUniformIntV2 StatelessRandomUniformV2
StatelessShuffle StatelessTruncatedNormal StatelessTruncatedNormalV2 TruncatedNormal
"""

_CONTROL = """
Assert Case If PartitionedCall StatefulPartitionedCall StatelessCase StatelessIf
StatelessWhile While
"""

_LISTS = """
EmptyTensorList TensorListConcatLists TensorListConcatV2 TensorListElementShape
TensorListFromTensor TensorListGather TensorListGetItem TensorListLength
TensorListPopBack TensorListPushBack TensorListReserve TensorListResize
TensorListScatterV2 TensorListSetItem TensorListSplit TensorListStack
"""

_VARIABLES = """
AssignAddVariableOp AssignSubVariableOp AssignVariableOp DisableCopyOnRead
ReadVariableOp ResourceGatherNd ResourceScatterAdd ResourceScatterUpdate VarHandleOp
VarIsInitializedOp VariableShape
"""

_DATASETS = """
BatchDatasetV2 ConcatenateDataset DatasetToSingleElement IgnoreErrorsDataset MapDataset
ParallelMapDatasetV2 RangeDataset RewriteDataset TensorDataset TensorSliceDataset
ZipDataset
"""

KNOWN_OPS = frozenset(
    " ".join(
        (
            _VALUES,
            _MATHEMATICS,
            _ALGEBRA,
            _NETWORKS,
            _EIGHT_BITS,
            _PICTURES,
            _TEXT,
            _RANDOM,
            _CONTROL,
            _LISTS,
            _VARIABLES,
            _DATASETS,
        )
    ).split()
)
"""Names of the operations that any SavedModel may have."""

SAVING = frozenset({"MergeV2Checkpoints", "SaveV2", "ShardedFilename"})
"""Of a SavedModel's way to be saved anew, which neither loading nor serving goes."""

RESTORING = frozenset({"RestoreV2"})
"""Of its way to read its own variables."""
