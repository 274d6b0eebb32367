"""The predecessor's gRPC service, ``OptimizedLipSyncService``, under both of its schemas, in front of Triton."""
