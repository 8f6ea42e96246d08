use axum::Router;

mod orders {
    tonic::include_proto!("shop.orders");
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    traces::start();
    let orders = orders::orders_client::OrdersClient::connect(std::env::var("ORDERS_ADDRESS").unwrap_or_default()).await;
    drop(orders);
    web::serve(Router::new()).await
}
