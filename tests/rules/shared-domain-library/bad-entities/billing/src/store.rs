use model::order;
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
        order::Entity::find_by_id(id).one(&self.database).await.map(drop)
    }
}
