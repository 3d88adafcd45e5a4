// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AppKind, AppSummary, Release, ReleaseDraft} from "../types/App.sol";

/// @title IAppPool
/// @notice Applications by name and version (GV-20): which bytes they are, and what their author earns per deal.
///
/// @dev A name belongs to whoever publishes under it first, until it is handed on. A release's bytes and royalty never
/// change: what a buyer tried is what it gets. The pool pays nobody; the buyer copies recipient and per mille into the
/// terms of its deal, and the hub's wallet pays them when the deal settles (GV-21, R1).
interface IAppPool {
    /* EVENTS */

    /// @notice A name was taken.
    event NameTaken(bytes32 indexed nameHash, address indexed owner, string name);
    /// @notice A release was published.
    event ReleasePublished(
        bytes32 indexed nameHash, bytes32 indexed releaseId, string name, string version, ReleaseDraft draft
    );
    /// @notice The publisher advises against a release.
    event ReleaseDeprecated(bytes32 indexed nameHash, bytes32 indexed releaseId, string name, string version);
    /// @notice New deals on a release pay another recipient.
    event RoyaltyMoved(bytes32 indexed nameHash, bytes32 indexed releaseId, string name, string version, address to);
    /// @notice A name was offered; the zero address takes an offer back.
    event NameOffered(bytes32 indexed nameHash, address indexed owner, address indexed to);
    /// @notice A name has a new owner.
    event NameAccepted(bytes32 indexed nameHash, address indexed from, address indexed owner);

    /* ERRORS */

    /// @notice A name has 1 to 63 lower-case letters, digits and inner hyphens.
    error AppNameInvalid(string name);
    /// @notice A version has 1 to 32 letters, digits, dots, plus signs and hyphens.
    error AppVersionInvalid(string version);
    /// @notice The text about a release is too long.
    error AppTextTooLong(uint256 length, uint256 max);
    /// @notice A release of nothing.
    error DigestZero();
    /// @notice A royalty is at most the whole payment.
    error AppRoyaltyTooHigh(uint16 perMille);
    /// @notice A royalty needs somebody to pay it to.
    error AppRoyaltyRecipientZero();
    /// @notice Nobody published under this name.
    error AppUnknown(string name);
    /// @notice Nobody published this version.
    error ReleaseUnknown(string name, string version);
    /// @notice A version is published once.
    error ReleaseExists(string name, string version);
    /// @notice The publisher advises against this release.
    error ReleaseIsDeprecated(string name, string version);
    /// @notice Only the owner of the name.
    error NotAppOwner(address caller, address owner);
    /// @notice Only whom the name was offered to.
    error NotOffered(address caller, address offeredTo);

    /* PUBLISHING */

    /// @notice Publishes a version. Anyone under a free name, which then is the caller's; otherwise only its owner.
    /// @param name The application.
    /// @param version Its version, published once.
    /// @param draft What it is and what it earns.
    /// @return releaseId keccak of name hash and version hash.
    function publish(string calldata name, string calldata version, ReleaseDraft calldata draft)
        external
        returns (bytes32 releaseId);

    /// @notice Advises against a release, for good. Only the owner of the name. Deals that exist go on.
    /// @param name The application.
    /// @param version The release.
    function deprecate(string calldata name, string calldata version) external;

    /// @notice Changes who earns the royalty of deals yet to be signed. Only the owner of the name.
    /// @param name The application.
    /// @param version The release.
    /// @param to Who earns; not zero if there is a royalty.
    function moveRoyalty(string calldata name, string calldata version, address to) external;

    /* NAMES */

    /// @notice Offers a name to somebody. Only its owner, who stays owner until it is accepted.
    /// @param name The application.
    /// @param to Who may accept; zero takes an offer back.
    function offerName(string calldata name, address to) external;

    /// @notice Accepts a name. Only whom it was offered to.
    /// @dev Royalties of published releases stay where they are until the new owner moves them.
    /// @param name The application.
    function acceptName(string calldata name) external;

    /* VIEWS */

    /// @notice What a buyer fills its terms with.
    /// @dev Reverts for deprecated releases; whoever wants one all the same reads `release`.
    /// @param name The application.
    /// @param version The release.
    /// @return kind What the digest is of.
    /// @return digest The module's or image's.
    /// @return royaltyTo For the terms.
    /// @return royaltyPerMille For the terms.
    function termsOf(string calldata name, string calldata version)
        external
        view
        returns (AppKind kind, bytes32 digest, address royaltyTo, uint16 royaltyPerMille);

    /// @notice One release.
    /// @param name The application.
    /// @param version The release.
    /// @return The release.
    function release(string calldata name, string calldata version) external view returns (Release memory);

    /// @notice One application.
    /// @param name The application.
    /// @return The line.
    function app(string calldata name) external view returns (AppSummary memory);

    /// @notice How many names are taken.
    /// @return The count.
    function appCount() external view returns (uint256);

    /// @notice A page of the pool, oldest name first.
    /// @param offset How many to skip.
    /// @param limit How many to return at most.
    /// @return page The lines.
    function apps(uint256 offset, uint256 limit) external view returns (AppSummary[] memory page);

    /// @notice A page of an application's versions, in the order of publication.
    /// @param name The application.
    /// @param offset How many to skip.
    /// @param limit How many to return at most.
    /// @return page The versions.
    function versions(string calldata name, uint256 offset, uint256 limit) external view returns (string[] memory page);
}
