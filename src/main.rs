fn main() -> std::process::ExitCode {
    strata::app::cli::main()
}
