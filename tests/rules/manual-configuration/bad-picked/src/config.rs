use std::collections::HashMap;

const PROD_STOCK: &str = "http://stock.prod.svc:8080";
const TEST_STOCK: &str = "http://stock.test.svc:8080";

#[derive(Clone, Copy)]
enum Stage {
    Dev,
    Prod,
}

struct Settings {
    billing: &'static str,
    replicas: u8,
}

impl Settings {
    fn of(stage: Stage) -> Self {
        use Stage::*;
        match stage {
            Dev => Self { billing: "http://billing.dev:8081", replicas: 1 },
            Prod => Self { billing: "http://billing.prod:8081", replicas: 3 },
        }
    }
}

fn stock() -> &'static str {
    match std::env::var("STAGE").as_deref() {
        Ok("prod" | "production") => PROD_STOCK,
        _ => TEST_STOCK,
    }
}

fn is_production(environment: &str) -> bool {
    environment == "production"
}

pub fn addresses(environment: &str) -> Vec<&'static str> {
    let settings = Settings::of(if is_production(environment) { Stage::Prod } else { Stage::Dev });
    let brokers = HashMap::from([
        ("staging", "nats://nats.staging.svc:4222"),
        ("production", "nats://nats.prod.svc:4222"),
    ]);
    let mailer = if is_production(environment) { "http://mailer.production:8025" } else { "http://mailer.staging:8025" };
    if settings.replicas == 1 {
        return vec![mailer];
    }
    vec![settings.billing, stock(), brokers[environment], mailer]
}
