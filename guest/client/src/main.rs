// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A client on the `drm` crate: uses a device as its driver allows, and reports each step.
//!
//! Source: the documentation of the crate `drm`; `include/uapi/drm/vgem_drm.h` for what it lacks.

mod card;
mod first;
mod hold;
mod nova;
mod pattern;
mod share;
mod show;
mod tyr;
mod vgem;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::card::Card;
use crate::show::Interface;

/// Uses a device of vgem, nova or tyr as any program would, and reports each step in a sentence.
///
/// With vgem: creates a buffer, maps it, writes, exports it, imports it into a second file, reads it back, and attaches
/// and signals a fence. With nova: queries the size of VRAM's BAR, creates a buffer, and queries its size. With tyr:
/// queries the GPU's properties, creates a buffer, maps it, and maps it for the GPU. With `--show`, shows pictures on a
/// display of any driver.
#[derive(Debug, Parser)]
#[command(name = "drydock-client", version)]
struct Args {
    /// Keep a file and a mapping (nova: a buffer; tyr: a mapping for the GPU as well) open, print `holding`, and
    /// continue after a line on stdin
    ///
    /// Unplug the device in between: the client then reports what happens to the mapping, to ioctls and to the close.
    #[arg(long)]
    hold: bool,

    /// Print `waiting`, wait until the kernel announces a new node, and be the first to open it
    #[arg(long, conflicts_with_all = ["hold", "node"])]
    first: bool,

    /// With `--first`: factor on the time that a node may take until it can be opened; 1 is for an idle machine
    #[arg(long, value_name = "N", default_value_t = 1)]
    patience: u32,

    /// Show a moving picture on the first display by this interface, until the display is unplugged or the client is
    /// killed
    #[arg(long, value_name = "INTERFACE", conflicts_with_all = ["hold", "first"])]
    show: Option<Interface>,

    /// With `--show`: show a cursor too
    #[arg(long, requires = "show")]
    cursor: bool,

    /// The device node [default: the first whose driver is known; with `--show`, the first with a connector]
    #[arg(long, value_name = "PATH")]
    node: Option<PathBuf>,
}

fn run(args: &Args) -> anyhow::Result<()> {
    if args.first {
        return first::run(args.patience);
    }
    let path = match &args.node {
        Some(path) => path.clone(),
        None if args.show.is_some() => card::find_display()?,
        None => card::find(&["vgem", nova::DRIVER, tyr::DRIVER])?,
    };
    let card = Card::open(&path)?;
    println!("The device at {} is driven by {}.", path.display(), card.describe()?);
    if let Some(interface) = args.show {
        return show::run(&card, interface, args.cursor);
    }
    if card.is_driven_by(nova::DRIVER) {
        return if args.hold { nova::hold(card) } else { nova::run(&card) };
    }
    if card.is_driven_by(tyr::DRIVER) {
        return if args.hold { tyr::hold(card) } else { tyr::run(&card) };
    }
    if args.hold { hold::run(card) } else { share::run(&card, &Card::open(&path)?) }
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_arguments_the_device_is_looked_for_and_shared() {
        let args = Args::try_parse_from(["drydock-client"]).unwrap();
        assert!(!args.hold && args.node.is_none());
    }

    #[test]
    fn a_node_can_be_named() {
        let args = Args::try_parse_from(["drydock-client", "--hold", "--node", "/dev/dri/card1"]);
        let args = args.unwrap();
        assert!(args.hold);
        assert_eq!(args.node.as_deref(), Some(std::path::Path::new("/dev/dri/card1")));
    }

    #[test]
    fn display_is_shown_by_one_interface_until_it_is_gone() {
        let args = Args::try_parse_from(["drydock-client", "--show", "atomic", "--cursor"]).unwrap();
        assert_eq!((args.show, args.cursor), (Some(Interface::Atomic), true));
        assert!(Args::try_parse_from(["drydock-client", "--cursor"]).is_err());
        assert!(Args::try_parse_from(["drydock-client", "--show", "legacy", "--hold"]).is_err());
    }

    #[test]
    fn a_node_that_is_not_there_is_an_error_with_its_path() {
        let args = Args::try_parse_from(["drydock-client", "--node", "/dev/dri/none"]).unwrap();
        let error = format!("{:#}", run(&args).unwrap_err());
        assert!(error.starts_with("failed to open `/dev/dri/none`"), "{error}");
    }
}
