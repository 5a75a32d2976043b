//! Hands a due command to the owner of a stream when its deadline has come
