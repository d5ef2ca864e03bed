//! What the topic of offsets is to a worker without sources.
