#[derive(Clone, Copy, PartialEq)]
enum Environment {
    Production,
    Staging,
    Dev,
}

impl Environment {
    fn is_production(self) -> bool {
        self == Environment::Production
    }

    fn billing(self) -> &'static str {
        match self {
            Environment::Production => "http://billing.prod.svc:8080",
            Environment::Staging => "http://billing.staging.svc:8080",
            Environment::Dev => "http://localhost:8081",
        }
    }
}

pub fn addresses(environment: &str) -> Vec<&'static str> {
    let stock = match environment {
        "production" | "prod" => "http://10.0.3.7:8080",
        "staging" => "http://10.1.3.7:8080",
        _ => "http://localhost:8082",
    };
    let known = match environment {
        "prod" => Environment::Production,
        "staging" => Environment::Staging,
        _ => Environment::Dev,
    };
    let rates = if known.is_production() { "https://rates.example.com" } else { "http://localhost:8083" };
    let broker = if environment == "production" {
        "nats://nats.prod.svc:4222"
    } else {
        "nats://nats.dev.svc:4222"
    };
    vec![stock, known.billing(), rates, broker]
}
