//! Messages, servers and clients, made of `proto/` by `build.rs`.
#![allow(unused_qualifications, reason = "generated code")]

//% if protocol == "grpc"
pub mod v1 {
    tonic::include_proto!("example_service.v1");
}

/// What this service answers, for reflection.
pub const OWN: &[u8] = tonic::include_file_descriptor_set!("own");
//% endif
//% if protocol == "grpc" and calls

/// Methods that live on other services.
pub mod passed_on {
    //% for callee in calls
    pub mod example_callee {
        pub mod v1 {
            tonic::include_proto!("example_service.example_callee.v1");
        }
    }
    //% endfor
}
//% endif
//% if protocol == "grpc" and grpc_calls

//% endif
//% if grpc_calls
/// Excerpts of other services' contracts.
pub mod called {
    //% for callee in calls
    //% if callee.protocol == "grpc"
    pub mod example_callee {
        pub mod v1 {
            tonic::include_proto!("example_callee.v1");
        }
    }
    //% endif
    //% endfor
}
//% endif
