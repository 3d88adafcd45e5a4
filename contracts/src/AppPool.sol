// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAppPool} from "./interfaces/IAppPool.sol";
import {Texts} from "./libraries/Texts.sol";
import {AppKind, AppSummary, Release, ReleaseDraft} from "./types/App.sol";

/// @title AppPool
/// @notice See {IAppPool}.
contract AppPool is IAppPool {
    /* TYPES */

    struct App {
        address owner;
        address offeredTo;
        string name;
        string[] versions;
    }

    /* CONSTANTS */

    /// @notice A DNS label's length.
    uint256 public constant NAME_LENGTH_MAX = 63;
    /// @notice Room for a version, a pre-release and a short commit.
    uint256 public constant VERSION_LENGTH_MAX = 32;
    /// @notice A paragraph; whoever has more to say names a web page in it.
    uint256 public constant ABOUT_LENGTH_MAX = 512;
    /// @notice The whole payment.
    uint16 public constant ROYALTY_PER_MILLE_MAX = 1000;

    /* STORAGE */

    bytes32[] private _names;
    mapping(bytes32 nameHash => App) private _apps;
    mapping(bytes32 releaseId => Release) private _releases;

    /* PUBLISHING */

    /// @inheritdoc IAppPool
    function publish(string calldata name, string calldata version, ReleaseDraft calldata draft)
        external
        returns (bytes32 releaseId)
    {
        _checkVersion(version);
        _checkDraft(draft);
        bytes32 nameHash = _own(name);
        releaseId = _releaseId(nameHash, version);
        Release storage r = _releases[releaseId];
        if (r.publishedAt != 0) revert ReleaseExists(name, version);

        r.kind = draft.kind;
        r.royaltyPerMille = draft.royaltyPerMille;
        r.royaltyTo = draft.royaltyTo;
        r.publishedAt = uint64(block.timestamp);
        r.digest = draft.digest;
        r.about = draft.about;
        _apps[nameHash].versions.push(version);
        emit ReleasePublished(nameHash, releaseId, name, version, draft);
    }

    /// @inheritdoc IAppPool
    function deprecate(string calldata name, string calldata version) external {
        (bytes32 nameHash, bytes32 releaseId, Release storage r) = _ownRelease(name, version);
        if (r.deprecated) revert ReleaseIsDeprecated(name, version);
        r.deprecated = true;
        emit ReleaseDeprecated(nameHash, releaseId, name, version);
    }

    /// @inheritdoc IAppPool
    function moveRoyalty(string calldata name, string calldata version, address to) external {
        (bytes32 nameHash, bytes32 releaseId, Release storage r) = _ownRelease(name, version);
        if (r.royaltyPerMille != 0 && to == address(0)) revert AppRoyaltyRecipientZero();
        r.royaltyTo = to;
        emit RoyaltyMoved(nameHash, releaseId, name, version, to);
    }

    /* NAMES */

    /// @inheritdoc IAppPool
    function offerName(string calldata name, address to) external {
        (bytes32 nameHash, App storage a) = _known(name);
        _checkOwner(a);
        a.offeredTo = to;
        emit NameOffered(nameHash, msg.sender, to);
    }

    /// @inheritdoc IAppPool
    function acceptName(string calldata name) external {
        (bytes32 nameHash, App storage a) = _known(name);
        if (msg.sender != a.offeredTo) revert NotOffered(msg.sender, a.offeredTo);
        address from = a.owner;
        a.owner = msg.sender;
        a.offeredTo = address(0);
        emit NameAccepted(nameHash, from, msg.sender);
    }

    /* VIEWS */

    /// @inheritdoc IAppPool
    function termsOf(string calldata name, string calldata version)
        external
        view
        returns (AppKind kind, bytes32 digest, address royaltyTo, uint16 royaltyPerMille)
    {
        (, Release storage r) = _knownRelease(name, version);
        if (r.deprecated) revert ReleaseIsDeprecated(name, version);
        return (r.kind, r.digest, r.royaltyTo, r.royaltyPerMille);
    }

    /// @inheritdoc IAppPool
    function release(string calldata name, string calldata version) external view returns (Release memory) {
        (, Release storage r) = _knownRelease(name, version);
        return r;
    }

    /// @inheritdoc IAppPool
    function app(string calldata name) external view returns (AppSummary memory) {
        (, App storage a) = _known(name);
        return _summary(a);
    }

    /// @inheritdoc IAppPool
    function appCount() external view returns (uint256) {
        return _names.length;
    }

    /// @inheritdoc IAppPool
    function apps(uint256 offset, uint256 limit) external view returns (AppSummary[] memory page) {
        page = new AppSummary[](_pageLength(_names.length, offset, limit));
        for (uint256 i = 0; i < page.length; ++i) {
            page[i] = _summary(_apps[_names[offset + i]]);
        }
    }

    /// @inheritdoc IAppPool
    function versions(string calldata name, uint256 offset, uint256 limit)
        external
        view
        returns (string[] memory page)
    {
        (, App storage a) = _known(name);
        page = new string[](_pageLength(a.versions.length, offset, limit));
        for (uint256 i = 0; i < page.length; ++i) {
            page[i] = a.versions[offset + i];
        }
    }

    /* PRIVATE */

    /// @dev Takes a free name for the caller; the name of somebody else is refused.
    function _own(string calldata name) private returns (bytes32 nameHash) {
        nameHash = keccak256(bytes(name));
        App storage a = _apps[nameHash];
        if (a.owner != address(0)) {
            _checkOwner(a);
            return nameHash;
        }
        if (bytes(name).length > NAME_LENGTH_MAX || !Texts.isName(name)) revert AppNameInvalid(name);
        a.owner = msg.sender;
        a.name = name;
        _names.push(nameHash);
        emit NameTaken(nameHash, msg.sender, name);
    }

    function _known(string calldata name) private view returns (bytes32 nameHash, App storage a) {
        nameHash = keccak256(bytes(name));
        a = _apps[nameHash];
        if (a.owner == address(0)) revert AppUnknown(name);
    }

    function _knownRelease(string calldata name, string calldata version)
        private
        view
        returns (bytes32 releaseId, Release storage r)
    {
        (bytes32 nameHash,) = _known(name);
        releaseId = _releaseId(nameHash, version);
        r = _releases[releaseId];
        if (r.publishedAt == 0) revert ReleaseUnknown(name, version);
    }

    function _ownRelease(string calldata name, string calldata version)
        private
        view
        returns (bytes32 nameHash, bytes32 releaseId, Release storage r)
    {
        App storage a;
        (nameHash, a) = _known(name);
        _checkOwner(a);
        (releaseId, r) = _knownRelease(name, version);
    }

    function _summary(App storage a) private view returns (AppSummary memory) {
        uint256 count = a.versions.length;
        return AppSummary({
            name: a.name,
            owner: a.owner,
            offeredTo: a.offeredTo,
            releaseCount: count,
            latestVersion: a.versions[count - 1] // a name is taken by its first release
        });
    }

    function _checkOwner(App storage a) private view {
        if (msg.sender != a.owner) revert NotAppOwner(msg.sender, a.owner);
    }

    function _checkVersion(string calldata version) private pure {
        if (bytes(version).length > VERSION_LENGTH_MAX || !Texts.isVersion(version)) revert AppVersionInvalid(version);
    }

    function _checkDraft(ReleaseDraft calldata draft) private pure {
        uint256 length = bytes(draft.about).length;
        if (length > ABOUT_LENGTH_MAX) revert AppTextTooLong(length, ABOUT_LENGTH_MAX);
        if (draft.digest == 0) revert DigestZero();
        if (draft.royaltyPerMille > ROYALTY_PER_MILLE_MAX) revert AppRoyaltyTooHigh(draft.royaltyPerMille);
        if (draft.royaltyPerMille != 0 && draft.royaltyTo == address(0)) revert AppRoyaltyRecipientZero();
    }

    function _releaseId(bytes32 nameHash, string calldata version) private pure returns (bytes32) {
        return keccak256(abi.encode(nameHash, keccak256(bytes(version))));
    }

    function _pageLength(uint256 length, uint256 offset, uint256 limit) private pure returns (uint256) {
        uint256 left = offset < length ? length - offset : 0;
        return limit < left ? limit : left;
    }
}
