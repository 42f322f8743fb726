//! Where HTTP is answered on this host: a Unix socket, whose file permissions decide who may speak, or a TCP address.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use axum::Router;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::watch;

/// Who may speak through a socket: the service's user and group.
const SOCKET_MODE: u32 = 0o660;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// A Unix socket: the file's permissions decide who may speak.
    Unix(PathBuf),
    /// A TCP address. Port 0 takes a free one.
    Tcp(SocketAddr),
}

impl fmt::Display for Address {
    /// As it stands in the config.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

/// A bound address.
#[derive(Debug)]
pub enum Bound {
    /// A Unix socket, removed when the server ends.
    Unix(UnixListener, PathBuf),
    /// A TCP socket.
    Tcp(TcpListener),
}

impl Bound {
    /// Binds an address. A socket file that nobody answers on is what a killed daemon left, and is replaced.
    pub async fn bind(address: &Address) -> io::Result<Self> {
        match address {
            Address::Tcp(address) => Ok(Self::Tcp(TcpListener::bind(address).await?)),
            Address::Unix(path) => {
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

    /// Whether it is a TCP address, which everybody on the network or host may reach.
    pub fn is_tcp(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }

    /// Answers until `stop` becomes true; requests under way are finished.
    pub async fn serve(self, router: Router, mut stop: watch::Receiver<bool>) -> io::Result<()> {
        let stopped = async move {
            // A sender that is gone means stop too.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        match self {
            Self::Tcp(listener) => axum::serve(listener, router).with_graceful_shutdown(stopped).await,
            Self::Unix(listener, path) => {
                let served = axum::serve(listener, router).with_graceful_shutdown(stopped).await;
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
