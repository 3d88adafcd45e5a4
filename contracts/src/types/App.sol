// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice What a release's digest is the digest of.
enum AppKind {
    WasmModule, // keccak of the module, which is its program root in machine version 0
    DockerImage // SHA-256 of the image's manifest
}

/// @notice What a publisher says about a release.
struct ReleaseDraft {
    AppKind kind;
    uint16 royaltyPerMille; // of what a deal pays, at most 1000
    address royaltyTo; // may be zero without a royalty
    bytes32 digest;
    string about; // licence, arguments, or a page that tells them
}

/// @notice A published release. Only `deprecated` and `royaltyTo` ever change.
struct Release {
    // slot 0
    AppKind kind;
    bool deprecated;
    uint16 royaltyPerMille;
    address royaltyTo;
    uint64 publishedAt; // zero: no such release
    // slot 1
    bytes32 digest;
    // slot 2 and on
    string about;
}

/// @notice A line of the pool.
struct AppSummary {
    string name;
    address owner;
    address offeredTo; // who may accept the name; zero: nobody
    uint256 releaseCount;
    string latestVersion; // the one published last
}
