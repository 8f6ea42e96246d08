pub mod stock {
    tonic::include_proto!("stock");
}
