//! What a caller learns when the store fails. What happened inside is logged, not told.

use axum::http::StatusCode;
use chassis::problem::Problem;
//% if store == "mysql"
use chassis_mysql::is_unavailable;
//% endif
//% if store == "postgres"
use chassis_postgres::is_unavailable;
//% endif
//% if store == "sqlite"
use chassis_sqlite::is_unavailable;
//% endif

use crate::store::StoreError;

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => {
                Self::new(StatusCode::NOT_FOUND).detail("there is no such item")
            }
            StoreError::NameTaken => {
                Self::new(StatusCode::CONFLICT).detail("another item has this name")
            }
            StoreError::Database(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
                if is_unavailable(&error) {
                    Self::new(StatusCode::SERVICE_UNAVAILABLE).retry_after(1)
                } else {
                    Self::new(StatusCode::INTERNAL_SERVER_ERROR)
                }
            }
        }
    }
}
