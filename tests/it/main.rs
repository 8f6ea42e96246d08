//! The one integration binary: what a person sees of the whole crate.

mod allow;
mod baseline;
mod cache;
mod cli;
mod config;
mod demo;
mod deploy;
mod docs;
mod file_tree;
mod formats;
mod hostile;
mod laws;
mod lint;
mod load;
mod new;
mod output;
mod parallel;
mod readme;
mod rules;
mod sandbox;
mod scaffold;
mod seeds;
mod services;
mod since;
mod tidy;
mod why;
