//! The demonstration: the main job on a broker, events and an endpoint of its own.
