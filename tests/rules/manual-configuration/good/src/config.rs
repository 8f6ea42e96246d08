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
    // No environment is asked for.
    let region = match environment {
        "eu" => "http://rates.eu.svc:8080",
        _ => "http://rates.us.svc:8080",
    };
    // No addresses.
    let level = if environment == "production" { "info" } else { "debug" };
    // The same in both.
    let agent = if environment == "production" { "http://localhost:8126" } else { "http://localhost:8126" };
    vec![payments(environment), region, level, agent]
}
