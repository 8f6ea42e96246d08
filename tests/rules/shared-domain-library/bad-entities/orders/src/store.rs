use model::order;
use sea_orm::{ActiveModelTrait, DatabaseConnection, DbErr, Set};

#[derive(Clone)]
pub struct Store {
    database: DatabaseConnection,
}

impl Store {
    pub fn connect(_url: &str) -> Self {
        Self { database: DatabaseConnection::default() }
    }

    pub async fn place(&self, id: i64) -> Result<(), DbErr> {
        order::ActiveModel { id: Set(id), ..Default::default() }.insert(&self.database).await?;
        Ok(())
    }
}
