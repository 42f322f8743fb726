//! Where the API answers.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::watch;

use super::options::AdminAddress;
use super::{Admin, api};

/// Who may speak through the socket: the service's user and group.
const SOCKET_MODE: u32 = 0o660;

/// A bound address.
pub enum Bound {
    /// A Unix socket, removed when the server ends.
    Unix(UnixListener, std::path::PathBuf),
    /// A TCP socket.
    Tcp(TcpListener),
}

impl Bound {
    /// Binds an address. A socket file that nobody answers on is what a killed daemon left, and is replaced.
    pub async fn bind(address: &AdminAddress) -> io::Result<Self> {
        match address {
            AdminAddress::Tcp(address) => Ok(Self::Tcp(TcpListener::bind(address).await?)),
            AdminAddress::Unix(path) => {
                if let Some(directory) = path.parent() {
                    std::fs::create_dir_all(directory)?;
                }
                clear(path).await?;
                let listener = UnixListener::bind(path)?;
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
                Ok(Self::Unix(listener, path.clone()))
            }
        }
    }

    /// The address as it was bound: a TCP port of 0 has become a real one.
    pub fn address(&self) -> io::Result<String> {
        Ok(match self {
            Self::Unix(_, path) => format!("unix:{}", path.display()),
            Self::Tcp(listener) => listener.local_addr()?.to_string(),
        })
    }

    /// Answers until `stop` becomes true.
    pub async fn serve(self, admin: Arc<Admin>, mut stop: watch::Receiver<bool>) -> io::Result<()> {
        let stopped = async move {
            // A sender that is gone means stop too.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        match self {
            Self::Tcp(listener) => {
                axum::serve(listener, api::router(admin, true)).with_graceful_shutdown(stopped).await
            }
            Self::Unix(listener, path) => {
                let served = axum::serve(listener, api::router(admin, false)).with_graceful_shutdown(stopped).await;
                std::fs::remove_file(path)?;
                served
            }
        }
    }
}

/// Removes a socket file that nobody answers on.
async fn clear(path: &Path) -> io::Result<()> {
    match UnixStream::connect(path).await {
        Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process answers on this socket")),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
