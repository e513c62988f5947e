// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The program `drydock`.

fn main() -> std::process::ExitCode {
    drydock::main()
}
