use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use warp::http::StatusCode;
use warp::{Filter, Rejection, Reply};

#[derive(Clone, Serialize, Deserialize)]
struct Ticket {
    subject: String,
}

/// Nowhere else.
type Tickets = Arc<Mutex<HashMap<u64, Ticket>>>;

fn with_tickets(tickets: Tickets) -> impl Filter<Extract = (Tickets,), Error = Infallible> + Clone {
    warp::any().map(move || tickets.clone())
}

async fn save(id: u64, ticket: Ticket, tickets: Tickets) -> Result<impl Reply, Infallible> {
    tickets.lock().await.insert(id, ticket);
    Ok(StatusCode::NO_CONTENT)
}

async fn show(id: u64, tickets: Tickets) -> Result<impl Reply, Rejection> {
    let tickets = tickets.lock().await;
    let ticket = tickets.get(&id).ok_or_else(warp::reject::not_found)?;
    Ok(warp::reply::json(ticket))
}

#[tokio::main]
async fn main() {
    let tickets = Tickets::default();
    let live = warp::path("healthz").map(|| "ok");
    let path = warp::path!("v1" / "tickets" / u64);
    let save = path.and(warp::put()).and(warp::body::content_length_limit(4096)).and(warp::body::json()).and(with_tickets(tickets.clone())).and_then(save);
    let show = path.and(warp::get()).and(with_tickets(tickets)).and_then(show);
    let of_tickets = tower::ServiceBuilder::new().timeout(Duration::from_secs(5)).service(warp::service(save.clone().or(show.clone())));
    drop(of_tickets);
    let routes = live.or(save).or(show).with(warp::trace::request());
    let (_, server) = warp::serve(routes).bind_with_graceful_shutdown(([0, 0, 0, 0], 8080), stopped());
    server.await;
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}
