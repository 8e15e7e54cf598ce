//! The demonstration's parts: its broker and its endpoint, met as by strangers; and how the program begins.

mod broker;

mod calls;

mod program;
