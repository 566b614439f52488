/**
 * ONNX Runtime reports its use to Microsoft and keeps an identifier of the machine in the user's cache folder, unless it is told not to
 * before it is loaded (its docs/Privacy.md). To be imported by whatever loads it in the main thread or starts a worker that does.
 */
process.env.ORT_DISABLE_TELEMETRY ??= '1';
