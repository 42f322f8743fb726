//! The laboratory, through its public face.

mod load;
mod nas;
mod receiver;
mod verbs;
