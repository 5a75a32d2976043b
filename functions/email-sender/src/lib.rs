//! Delivers planned notifications by e-mail, once
