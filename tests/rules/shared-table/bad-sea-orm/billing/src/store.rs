use entity::order;
use sea_orm::{DatabaseConnection, DbErr, EntityTrait};

#[derive(Clone)]
pub struct Store {
    database: DatabaseConnection,
}

impl Store {
    pub fn connect(_url: &str) -> Self {
        Self { database: DatabaseConnection::default() }
    }

    pub async fn place(&self, id: i64) -> Result<(), DbErr> {
        order::Entity::delete_by_id(id).exec(&self.database).await?;
        Ok(())
    }
}
