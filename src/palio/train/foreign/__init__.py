"""Take detectors that others taught and wrote as ONNX: how they want pictures, and what their numbers mean."""
