// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IHubFactory} from "./interfaces/IHubFactory.sol";
import {IHubWallet} from "./interfaces/IHubWallet.sol";
import {IWhitelist} from "./interfaces/IWhitelist.sol";
import {Pages} from "./libraries/Pages.sol";
import {HubRecord, WalletParameters} from "./types/Wallet.sol";

/// @title Whitelist
/// @notice See {IWhitelist}.
contract Whitelist is IWhitelist {
    /* TYPES */

    struct Entry {
        address owner;
        uint64 listedAt;
        HubRecord record;
    }

    /* CONSTANTS */

    /// @notice A multiaddress with DNS name, port and peer id is about 120 bytes; this leaves room for a relayed one.
    uint256 public constant ENDPOINT_LENGTH_MAX = 256;
    /// @notice One line in any table.
    uint256 public constant NAME_LENGTH_MAX = 64;
    /// @notice A paragraph; whoever has more to say names a web page in it.
    uint256 public constant DESCRIPTION_LENGTH_MAX = 512;

    /* IMMUTABLES */

    address private immutable FACTORY;

    /* STORAGE */

    /// @inheritdoc IWhitelist
    mapping(address factory => bool) public isAdmitted;
    mapping(address wallet => Entry) private _entries;
    address[] private _wallets;

    /* CONSTRUCTOR */

    /// @param factory_ The address the factory will be deployed at; its constructor refuses any other whitelist.
    constructor(address factory_) {
        if (factory_ == address(0)) revert FactoryZero();
        FACTORY = factory_;
        isAdmitted[factory_] = true;
    }

    /* THE DAO */

    /// @inheritdoc IWhitelist
    function admit(address factory_, bool admitted) external {
        address dao_ = dao();
        if (msg.sender != dao_) revert NotWhitelistDao(msg.sender, dao_);
        if (factory_.code.length == 0) revert FactoryForeign(factory_);
        WalletParameters memory p = IHubFactory(factory_).parameters();
        if (p.whitelist != address(this) || p.dao != dao_) revert FactoryForeign(factory_);
        isAdmitted[factory_] = admitted;
        emit FactoryAdmitted(factory_, admitted);
    }

    /* THE FACTORY */

    /// @inheritdoc IWhitelist
    function list(address wallet, address owner) external {
        if (!isAdmitted[msg.sender]) revert NotFactory(msg.sender, FACTORY);
        Entry storage entry = _entries[wallet];
        // INVARIANT: no factory, admitted or not, changes what another listed.
        if (entry.owner != address(0)) revert WalletListedAlready(wallet);
        entry.owner = owner;
        entry.listedAt = uint64(block.timestamp);
        _wallets.push(wallet);
        emit HubListed(wallet, owner);
    }

    /* WALLETS AND THEIR OWNERS */

    /// @inheritdoc IWhitelist
    function register(HubRecord calldata record) external {
        Entry storage entry = _listed(msg.sender);
        _checkRecord(record);
        entry.record = record;
        emit HubRegistered(msg.sender, entry.owner, record);
    }

    /// @inheritdoc IWhitelist
    function changeRecord(address wallet, HubRecord calldata record) external {
        Entry storage entry = _listed(wallet);
        if (msg.sender != entry.owner) revert NotHubOwner(msg.sender, entry.owner);
        // An endpoint is never empty once there is a record.
        if (bytes(entry.record.endpoint).length == 0) revert HubNotRegistered(wallet);
        _checkRecord(record);
        entry.record = record;
        emit HubRecordChanged(wallet, entry.owner, record);
    }

    /* VIEWS */

    /// @inheritdoc IWhitelist
    function factory() external view returns (address) {
        return FACTORY;
    }

    /// @inheritdoc IWhitelist
    function dao() public view returns (address) {
        return IHubFactory(FACTORY).parameters().dao;
    }

    /// @inheritdoc IWhitelist
    function isListed(address wallet) external view returns (bool) {
        return _entries[wallet].owner != address(0);
    }

    /// @inheritdoc IWhitelist
    function hubCount() external view returns (uint256) {
        return _wallets.length;
    }

    /// @inheritdoc IWhitelist
    function hub(address wallet) public view returns (Hub memory) {
        Entry storage entry = _listed(wallet);
        return Hub({
            wallet: wallet,
            owner: entry.owner,
            listedAt: entry.listedAt,
            registeredAt: IHubWallet(wallet).registeredAt(),
            state: IHubWallet(wallet).state(),
            record: entry.record
        });
    }

    /// @inheritdoc IWhitelist
    function hubs(uint256 offset, uint256 limit) external view returns (Hub[] memory page) {
        address[] memory wallets = Pages.slice(_wallets, offset, limit);
        page = new Hub[](wallets.length);
        for (uint256 i = 0; i < wallets.length; ++i) {
            page[i] = hub(wallets[i]);
        }
    }

    /* PRIVATE */

    function _listed(address wallet) private view returns (Entry storage entry) {
        entry = _entries[wallet];
        if (entry.owner == address(0)) revert WalletUnknown(wallet);
    }

    function _checkRecord(HubRecord calldata record) private pure {
        _checkLength(RecordField.Endpoint, bytes(record.endpoint).length, 1, ENDPOINT_LENGTH_MAX);
        _checkLength(RecordField.Name, bytes(record.name).length, 1, NAME_LENGTH_MAX);
        _checkLength(RecordField.Description, bytes(record.description).length, 0, DESCRIPTION_LENGTH_MAX);
    }

    function _checkLength(RecordField field, uint256 length, uint256 min, uint256 max) private pure {
        if (length < min || length > max) revert RecordFieldLength(field, length, max);
    }
}
