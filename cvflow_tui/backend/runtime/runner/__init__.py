"""The process that owns a running solver's port: HTTP outside, frames to the worker inside."""
