use std::collections::HashMap;

const EU_STOCK: &str = "http://stock.eu.svc:8080";
const US_STOCK: &str = "http://stock.us.svc:8080";
const STOCK: &str = "http://stock.svc:8080";

enum Region {
    Eu,
    Us,
}

/// Whose environments these are is another company's business.
fn payments(environment: &str) -> &'static str {
    match environment {
        "production" => "https://api.payments.example.com",
        _ => "https://sandbox.payments.example.com",
    }
}

pub fn addresses(environment: &str) -> Vec<&'static str> {
    // A setting wins.
    let stock = std::env::var("STOCK_URL").unwrap_or_else(|_| match environment {
        "production" => "http://stock.prod.svc:8080".to_owned(),
        _ => "http://stock.staging.svc:8080".to_owned(),
    });
    tracing::info!(stock);
    let mailer = std::env::var("MAILER_URL");
    let mailer = if is_production(environment) {
        mailer.unwrap_or_else(|_| "http://mailer.prod.svc:8025".to_owned())
    } else {
        mailer.unwrap_or_else(|_| "http://localhost:8025".to_owned())
    };
    tracing::info!(mailer);
    // No environment is asked for.
    let region = match environment {
        "eu" => "http://rates.eu.svc:8080",
        _ => "http://rates.us.svc:8080",
    };
    // No addresses.
    let level = if environment == "production" { "info" } else { "debug" };
    // The same in both.
    let agent = if environment == "production" { "http://localhost:8126" } else { "http://localhost:8126" };
    let sandboxes = HashMap::from([
        ("production", "https://api.payments.example.com"),
        ("staging", "https://sandbox.payments.example.com"),
    ]);
    // Regions, by the same means.
    let nearest = nearest(if environment == "eu" { Region::Eu } else { Region::Us });
    let brokers = HashMap::from([("eu", "nats://nats.eu.svc:4222"), ("us", "nats://nats.us.svc:4222")]);
    // One address, in one environment only.
    let only = if is_production(environment) { STOCK } else { "" };
    vec![payments(environment), region, level, agent, sandboxes[environment], nearest, brokers["eu"], only]
}

fn nearest(region: Region) -> &'static str {
    use Region::*;
    match region {
        Eu => EU_STOCK,
        Us => US_STOCK,
    }
}

fn is_production(environment: &str) -> bool {
    environment == "production"
}
