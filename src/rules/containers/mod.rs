//! Practice 9: containers and delivery.

pub mod entrypoint_names_no_binary;
pub mod no_ci;
pub mod no_container_image;
pub mod no_health_check;
pub mod no_probes;
pub mod no_resource_limits;
pub mod several_services_in_one_container;
mod shell;
pub mod shell_form_command;
pub(in crate::rules) mod shipped;
pub mod single_stage_image;
pub mod toolchain_drift;
pub mod unlocked_build;
pub mod unpinned_base_image;
pub(in crate::rules) mod workloads;
